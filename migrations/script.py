"""How a revision runs SQL: as a script of many statements, in the transaction of the migration."""

from alembic import context, op


def run_script(script: str) -> None:
    """Execute every statement of `script`. A prepared statement, which is what `op.execute` makes, holds only one."""
    if not script.strip():
        return  # the driver makes an exception of nothing to do
    if context.is_offline_mode():
        op.get_context().impl.static_output(script.strip())  # as it is: `op.execute` would double each %
        return
    connection = op.get_bind()
    connection.exec_driver_sql("SELECT 1")  # the adapter opens its transaction with its first statement
    adapted = connection.connection.dbapi_connection
    assert adapted is not None
    adapted.run_async(lambda driver: driver.execute(script))
