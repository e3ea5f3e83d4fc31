"""The market as one page of HTML, for people who look rather than read. It only reads marts."""
