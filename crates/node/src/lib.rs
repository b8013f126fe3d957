//! Keep chains, deliver between them, serve clients, validate; the resident command.
