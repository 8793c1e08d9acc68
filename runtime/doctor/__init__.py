"""What `tickwire doctor` looks at. A check yields findings; it changes nothing and leaves nothing behind."""
