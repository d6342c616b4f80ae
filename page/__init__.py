"""This page alone: its autoencoder, the seed study with its engine, its figures and claims."""
