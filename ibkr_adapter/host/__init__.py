"""What a trading host plugs in: webhooks in, orders out."""
