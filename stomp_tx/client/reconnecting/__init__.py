"""A client that connects again when it has to, resumes subscriptions and repeats what was not confirmed."""
