"""Tests of what the documents say: commands, crontab lines and units are taken out of them and tried."""
