"""The sandbox inside other programs: an MCP server, and adapters for FastMCP and smolagents.

Each module needs only the package that it is named after, and imports it when it is itself imported.
"""
