"""Tables and JSON: what every command says, as documents (design of the JSON), as screens (terminal) and as rows (csv, parquet)."""
