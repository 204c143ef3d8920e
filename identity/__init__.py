"""Who owns a number? Pure rules over certificates and tokens; no I/O, no clock."""
