"""What each carrier documents of its answers, a module a carrier. Where the facts are uncertain, the client's module says so."""
