"""The agent file that Letta 0.11 reads, made from one of version 2."""

#: Versions that know only the older file.
VERSIONS = ("0.11.3",)


def legacy_file(agent_file, version):
    """Return the one agent of a version 2 file in the older shape."""
    agent = agent_file["agents"][0]
    made_at = agent_file["created_at"]
    dates = {"created_at": made_at, "updated_at": made_at}
    context = set(agent["in_context_message_ids"])
    return {
        **dates, "version": version,
        "name": agent["name"], "agent_type": "memgpt_v2_agent",
        "system": agent["system"], "description": agent["description"],
        "metadata_": agent["metadata"],
        "llm_config": agent["llm_config"],
        "embedding_config": agent["embedding_config"],
        "core_memory": [
            {**dates, "label": b["label"], "value": b["value"],
             "limit": b["limit"], "description": b["description"],
             "metadata_": b["metadata"], "is_template": False,
             "template_name": None} for b in agent_file["blocks"]],
        "messages": [legacy_row(row) for row in agent["messages"]],
        "in_context_message_indices": [
            i for i, row in enumerate(agent["messages"])
            if row["id"] in context],
        "tags": [{"tag": t} for t in agent["tags"]],
        "tools": [
            {**dates, "args_json_schema": None, "metadata_": {},
             **{k: t[k] for k in ("name", "description", "json_schema",
                                  "return_char_limit", "source_code",
                                  "source_type", "tags", "tool_type")}}
            for t in agent_file["tools"]],
        "tool_rules": agent["tool_rules"],
        "tool_exec_environment_variables": [],
        "message_buffer_autoclear": False, "multi_agent_group": None}


def legacy_row(row):
    return {"role": row["role"], "content": row["content"],
            "tool_calls": row.get("tool_calls") or [],
            "tool_call_id": row.get("tool_call_id"),
            "tool_returns": row.get("tool_returns") or [],
            "created_at": row["created_at"], "updated_at": row["created_at"],
            "group_id": None, "model": None, "name": row.get("name")}
