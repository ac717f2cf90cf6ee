"""The only place that talks to Google Cloud, a model SDK, SMTP or HTTP."""
