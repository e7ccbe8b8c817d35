"""Retryscope's service: the workflows of an asyncio error-handling document, over HTTP, fully visible."""
