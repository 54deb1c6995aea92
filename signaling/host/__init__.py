"""This computer: its addresses, state folder and certificates, QR codes, phones on a cable."""
