"""What each row is held against: published counts, closed forms, independent implementations."""
