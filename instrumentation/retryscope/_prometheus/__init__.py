"""How ``prometheus_client``'s values are written and read where its own way costs too much. Private."""
