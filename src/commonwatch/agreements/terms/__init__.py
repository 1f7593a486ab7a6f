"""What binds readers, in the words of other systems, and what was taken back from them."""
