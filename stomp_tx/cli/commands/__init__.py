"""The commands of ``stomp-tx``: a file for each."""
