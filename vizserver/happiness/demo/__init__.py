"""What ``manage.py loaddemo`` makes: people who report for a year, and what three of them sell."""
