"""Mail: what is sent to whom, its texts, and the mail server."""
