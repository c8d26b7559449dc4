"""Tasks. Their intents are the classifier's labels: a label that no call can get would refuse every call."""

from admin.audit.store import record
from admin.errors import invalid_field
from admin.paging import Page, make_page
from admin.rbac import Permission
from admin.routing import Call, Route
from admin.store import reading, transaction
from admin.tasks import store
from admin.tasks.types import CreateTask, PatchTask, Task, TaskQuery


async def list_tasks(call: Call, query: TaskQuery) -> Page[Task]:
    async with reading(call.deps.pool) as conn:
        rows = await store.find(conn, query)
    return make_page(rows, query.limit, lambda task: (task.id,))


async def get_task(call: Call) -> Task:
    async with reading(call.deps.pool) as conn:
        return await store.get(conn, call.id)


async def create_task(call: Call, body: CreateTask) -> Task:
    _refuse_unknown(call, body.allowed_intents)
    async with transaction(call.deps.pool) as conn:
        task = await store.add(conn, body)
        await record(conn, call.actor, "tasks:create", task.id, after=task)
    return task


async def patch_task(call: Call, body: PatchTask) -> Task:
    _refuse_unknown(call, body.allowed_intents or [])
    async with transaction(call.deps.pool) as conn:
        before = await store.get(conn, call.id, lock=True)
        task = await store.change(conn, call.id, body)
        await record(conn, call.actor, "tasks:update", task.id, before=before, after=task)
    return task


async def delete_task(call: Call) -> None:
    async with transaction(call.deps.pool) as conn:
        before = await store.get(conn, call.id, lock=True)
        await store.remove(conn, call.id)
        await record(conn, call.actor, "tasks:delete", call.id, before=before)


def _refuse_unknown(call: Call, intents: list[str]) -> None:
    if unknown := sorted(set(intents) - call.deps.intents):
        known = ", ".join(sorted(call.deps.intents))
        raise invalid_field("allowed_intents", f"no such intent: {', '.join(unknown)} (there are: {known})")


_READ, _WRITE = Permission.TASKS_READ, Permission.TASKS_WRITE

ROUTES = (
    Route("GET", "/tasks", list_tasks, _READ, "Tasks, newest first", query=TaskQuery, gives=Page[Task]),
    Route("POST", "/tasks", create_task, _WRITE, "Make a task", takes=CreateTask, gives=Task, status=201),
    Route("GET", "/tasks/{id}", get_task, _READ, "One task", gives=Task),
    Route("PATCH", "/tasks/{id}", patch_task, _WRITE, "Change a task", takes=PatchTask, gives=Task),
    Route("DELETE", "/tasks/{id}", delete_task, _WRITE, "Delete a task that nobody has", status=204),
)
