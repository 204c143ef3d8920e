"""The demo on a screen: an attacker and those who are attacked, side by side. The only part of lab that draws."""
