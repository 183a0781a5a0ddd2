"""LiteLLM, LangChain and the OpenAI SDK: ``small.py CLIENT URL QUESTION`` prints what each got, as JSON."""

import json
import sys


def litellm(url: str, question: str) -> dict:
    import litellm

    options = {
        "model": "openai/toy:hint", "api_base": url, "api_key": "none",
        "messages": [{"role": "user", "content": question}],
    }  # fmt: skip
    whole = litellm.completion(**options).choices[0].message
    deltas = [chunk.choices[0].delta for chunk in litellm.completion(stream=True, **options)]
    return {
        "whole": whole.content,
        "reasoning": whole.reasoning_content,
        "streamed": "".join(delta.content or "" for delta in deltas),
        "streamed_reasoning": "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas),
    }


def langchain(url: str, question: str) -> dict:
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    @tool
    def lookup(name: str) -> str:
        """Look a name up."""
        return name

    chat = ChatOpenAI(model="toy:hint", base_url=url, api_key="none")
    responses = ChatOpenAI(model="toy:hint", base_url=url, api_key="none", use_responses_api=True)
    interpreter = responses.bind_tools([{"type": "code_interpreter", "container": {"type": "auto"}}])
    with_tools = chat.bind_tools([lookup]).invoke(question)
    return {
        "whole": chat.invoke(question).content,
        "streamed": "".join(chunk.content for chunk in chat.stream(question)),
        "with_tools": with_tools.content,
        "tool_calls": with_tools.tool_calls,
        "responses": interpreter.invoke(question).text,
        "responses_streamed": "".join(chunk.text for chunk in interpreter.stream(question)),
    }


def openai(url: str, question: str) -> dict:
    import asyncio

    from openai import AsyncOpenAI, OpenAI

    client = OpenAI(base_url=url, api_key="none")
    messages = [{"role": "user", "content": question}]
    tools = [{"type": "code_interpreter", "container": {"type": "auto"}}]
    whole = client.chat.completions.create(model="toy:hint", messages=messages)
    with client.chat.completions.stream(model="toy:hint", messages=messages) as stream:
        streamed = stream.until_done().get_final_completion()
    with client.responses.stream(model="toy:hint", input=question, tools=tools) as stream:
        answer = stream.until_done().get_final_response()

    async def later() -> str:
        async with AsyncOpenAI(base_url=url, api_key="none") as client:
            return (await client.responses.create(model="toy:hint", input=question, tools=tools)).output_text

    return {
        "models": [model.id for model in client.models.list()],
        "whole": whole.choices[0].message.content,
        "streamed": streamed.choices[0].message.content,
        "responses": answer.output_text,
        "logs": [output.logs for item in answer.output for output in getattr(item, "outputs", None) or []],
        "async": asyncio.run(later()),
    }


print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
