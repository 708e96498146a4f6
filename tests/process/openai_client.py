"""The cases of the OpenAI client for Python against a gateway.

Usage: openai_client.py BASE_URL TOKEN BODY_LIMIT_BYTES
Prints one JSON line per case: {"case": name, "ok": bool, "detail": text}.
The only model of the gateway recites the alphabet, over and over.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import openai

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
base_url, token, body_limit_bytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = openai.OpenAI(base_url=f"{base_url}/v1", api_key=token, max_retries=0, timeout=60)
model = client.models.list().data[0].id
messages = [{"role": "user", "content": "Say it."}]


def create(**fields):
    return client.chat.completions.create(**{"model": model, "messages": messages, "temperature": 0, **fields})


def text_of_stream(stream):
    return "".join((chunk.choices[0].delta.content or "") for chunk in stream if chunk.choices)


def expect(condition, detail):
    if not condition:
        raise AssertionError(detail)


def expect_failure(kind, status, code, work):
    try:
        work()
    except kind as error:
        expect(error.status_code == status, f"status {error.status_code}")
        expect(code is None or error.code == code, f"code {error.code}")
        expect(isinstance(error.message, str) and error.message != "", "no message")
        return error
    raise AssertionError("nothing was raised")


def chat():
    answer = create(max_tokens=5, seed=1)
    choice = answer.choices[0]
    expect(choice.finish_reason == "length" and choice.message.role == "assistant", repr(choice))
    expect(choice.message.content in ALPHABET * 2, repr(choice.message.content))
    expect(answer.usage.total_tokens == answer.usage.prompt_tokens + 5, repr(answer.usage))


def stream():
    whole = create(max_completion_tokens=12).choices[0].message.content
    streamed = text_of_stream(create(max_completion_tokens=12, stream=True))
    expect(streamed == whole and len(whole) == 12, f"{streamed!r} {whole!r}")


def include_usage():
    chunks = list(create(max_tokens=4, stream=True, stream_options={"include_usage": True}))
    expect(chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 4, repr(chunks[-1]))
    expect(all(chunk.usage is None for chunk in chunks[:-1]), "usage before the end")


def stop():
    text = create(max_tokens=20).choices[0].message.content
    for given in (text[8:11], ["never said", text[8:11]]):
        choice = create(max_tokens=40, stop=given).choices[0]
        expect(choice.finish_reason == "stop" and choice.message.content == text[:8], repr(choice))


def parts():
    content = [{"type": "text", "text": "Say "}, {"type": "text", "text": "it."}]
    answer = create(messages=[{"role": "user", "content": content}], max_tokens=2, response_format={"type": "text"}, n=1)
    expect(len(answer.choices) == 1, repr(answer))


def bad_request():
    error = expect_failure(openai.BadRequestError, 400, None, lambda: create(temperature=3))
    expect(error.param == "temperature", repr(error.param))
    expect_failure(openai.BadRequestError, 400, None, lambda: create(n=2))


def wrong_token():
    other = openai.OpenAI(base_url=f"{base_url}/v1", api_key="wrong", max_retries=0)
    expect_failure(openai.AuthenticationError, 401, "invalid_api_key", other.models.list)


def unknown_model():
    expect_failure(openai.NotFoundError, 404, "model_not_found", lambda: create(model="gpt-9"))
    expect_failure(openai.NotFoundError, 404, "model_not_found", lambda: client.models.retrieve("gpt-9"))


def too_large():
    content = "x" * body_limit_bytes
    expect_failure(openai.APIStatusError, 413, None, lambda: create(messages=[{"role": "user", "content": content}]))


def context_overflow():
    long = [{"role": "user", "content": "word " * 20_000}]
    for is_stream in (False, True):
        expect_failure(openai.BadRequestError, 400, "context_length_exceeded", lambda: create(messages=long, stream=is_stream))


def abort():
    for _ in range(12):
        with create(stream=True) as answer:
            next(chunk for chunk in answer if chunk.choices and chunk.choices[0].delta.content)
    # places are free again within a second; the client's own retry bridges it
    patient = client.with_options(max_retries=5)
    answer = patient.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=2)
    expect(len(answer.choices[0].message.content) == 2, repr(answer))


def eight_streams():
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda _: text_of_stream(create(max_tokens=24, stream=True)), range(8)))
    expect(len(texts[0]) == 24 and len(set(texts)) == 1, repr(texts))


CASES = (
    chat, stream, include_usage, stop, parts, bad_request, wrong_token, unknown_model, too_large, context_overflow, eight_streams, abort,
)

for case in CASES:
    try:
        case()
        print(json.dumps({"case": case.__name__, "ok": True, "detail": ""}), flush=True)
    except Exception as error:  # every case is reported, whatever it raised
        print(json.dumps({"case": case.__name__, "ok": False, "detail": f"{type(error).__name__}: {error}"}), flush=True)
