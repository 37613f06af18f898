"""The UQ methods: the protocols that they meet, and how they are run."""
