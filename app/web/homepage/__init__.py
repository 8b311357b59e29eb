"""Pages of the homepage."""
