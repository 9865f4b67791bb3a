"""What a network is to learn: data or an equation, with a test set and a mesh for the relative error."""
