"""What each agent may do: workspace, resources, pins, tokens and delegation."""
