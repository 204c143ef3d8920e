"""Known attacks on a terminal, a reader's eye or a renderer of markup, by name: the corpus of tests of hostile text.

`TELLTALE` marks what an attack wants done, where a test can see it in the octets that reached a terminal.
"""

ESC = "\x1b"
BEL = "\x07"
ST = ESC + "\\"
TELLTALE = "pwned"

SEQUENCES = {
    "clear the screen (CSI)": f"{ESC}[2J{ESC}[H{TELLTALE}",
    "draw a verdict at the top (CSI H)": f"{ESC}[1;1H ✓ NUMBER VERIFIED {TELLTALE}",
    "leave the alternate screen": f"{ESC}[?1049l$ {TELLTALE}",
    "hide the cursor": f"{ESC}[?25l",
    "set the clipboard (OSC 52)": f"{ESC}]52;c;cHduZWQ={ST}",
    "set the clipboard through tmux (DCS)": f"{ESC}Ptmux;{ESC}{ESC}]52;c;cHduZWQ={BEL}{ST}",
    "set the title (OSC 0)": f"{ESC}]0;{TELLTALE}{BEL}",
    "pass for another link (OSC 8)": f"{ESC}]8;;https://evil.example/{ST}bank.example{ESC}]8;;{ST}",
    "notify (OSC 9)": f"{ESC}]9;{TELLTALE}{BEL}",
    "run a program (OSC 9;7, ConEmu)": f'{ESC}]9;7;"calc"{ST}',
    "open a file (OSC 1337, iTerm)": f"{ESC}]1337;File=inline=1:AAAA{BEL}",
    "change the palette (OSC 4)": f"{ESC}]4;0;#ffffff{ST}",
    "have the title typed back (CSI 21 t)": f"{ESC}[21t",
    "have the state typed back (DECRQSS)": f"{ESC}P$q{TELLTALE}\n{ST}",
    "have an answer typed back (ENQ)": "\x05",
    "have attributes typed back (DA)": f"{ESC}[c",
    "device control (DCS)": f"{ESC}P+q544e{ST}",
    "application command (APC)": f"{ESC}_Gi=1,a=q;AAAA{ST}",
    "privacy message (PM)": f"{ESC}^{TELLTALE}{ST}",
    "start of string (SOS)": f"{ESC}X{TELLTALE}{ST}",
    "unterminated (OSC)": f"{ESC}]0;{TELLTALE}",
    "one-octet CSI (C1)": f"\u009b2J{TELLTALE}",
    "one-octet OSC (C1)": f"\u009d52;c;cHduZWQ=\u009c{TELLTALE}",
    "one-octet DCS (C1)": f"\u0090$q\u009c{TELLTALE}",
    "one-octet APC (C1)": f"\u009fG{TELLTALE}\u009c",
    "other character set (SO)": f"\x0e{TELLTALE}\x0f",
    "other character set (SCS)": f"{ESC}(0{TELLTALE}",
    "reset (RIS)": f"{ESC}c",
    "double height (DECDHL)": f"{ESC}#3{TELLTALE}",
    "repeat a character (REP)": f"a{ESC}[99999999b",
    "end of a bracketed paste": f"{ESC}[201~{TELLTALE}\n",
    "xterm keys (modifyOtherKeys)": f"{ESC}[>4;2m",
}

CONTROLS = {
    "NUL": f"a\x00{TELLTALE}",
    "backspaces over what stands there": f"+1 202-555-0100{BEL}\b\b\b\b0199",
    "VT and FF": f"a\vb\f{TELLTALE}",
    "CR over what stands there": f"NO PROOF\r✓ {TELLTALE}",
    "DEL": f"a\x7f{TELLTALE}",
    "escape at the end": f"{TELLTALE}{ESC}",
    "substitute and cancel": "\x18\x1a",
}

UNSEEN = {
    "override (RLO)": "invoice\u202egpj.exe",
    "override in code (Trojan Source)": "access = \u202e\u2066// check\u2069 \u2066if admin\u2069",
    "isolate without end": "\u2067\u2067\u2067a",
    "marks (LRM, RLM, ALM)": "+1\u200e202\u200f555\u061c0100",
    "zero-width space": "ba\u200bnk.exa\u2060mple\ufeff",
    "joiners between letters": "ba\u200dnk\u200c.example",
    "tags": "bank\U000e0041\U000e0042\U000e007f",
    "variation selectors": "bank\ufe01\U000e0100\U000e01ef",
    "flood of marks": "Z" + "\u0301\u0336\u0489" * 200,
    "flood of marks on nothing": "\u0301" * 300,
    "line and paragraph separator": "first\u2028✓ NUMBER VERIFIED\u2029third",
    "fillers": "\u3164\u115f\uffa0\u2800",
    "soft hyphens": "pay\u00adpal",
    "interlinear annotation": "\ufff9bank\ufffaevil\ufffb",
    "private use": "\ue000\U000f0000\U0010fffd",
    "non-characters": "\ufffe\uffff\U0010ffff\ufdd0",
    "lone surrogate": "a\ud800b\udfff",
    "unassigned": "\u0378\U000e1000",
}

MARKUP = {
    "action on a click": "[@click=app.exit]click[/]",
    "action with words": "[@click=app.bell('x')]free gift[/]",
    "closing tag of nothing": "[/nope]",
    "link": "[link='https://evil.example']bank.example[/link]",
    "unfinished tag": "[red",
    "backslash before a tag": "\\[bold]x\\\\[b]z a\\",
    "tag of a colour": "[green]✓ NUMBER VERIFIED[/green]",
    "console emoji": ":locked_with_key:",
    "HTML": "<b>bank</b><img src='https://evil.example/x'>&lt;a&#62;",
    "percent and braces": "%s%n {0.__class__} $who ${x}",
}

LONG = {
    "one long word": "w" * 20_000,
    "many lines": "\n" * 5_000,
    "many tabs": "\t" * 5_000,
    "wide word": "中" * 5_000,
    "many escapes": f"{ESC}[" * 5_000,
}

ATTACKS = {**SEQUENCES, **CONTROLS, **UNSEEN, **MARKUP, **LONG}
