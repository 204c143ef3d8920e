"""Who is heard, whom one believes, and what a delivery service may be caught at."""
