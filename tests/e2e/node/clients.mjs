// The Node.js SDKs for the tests: one JSON question a line on standard input, one JSON answer a line on standard output.
// What a question and an answer look like is in ../clients.py (Ask and Answer) and ../node_clients.py.

import Anthropic from '@anthropic-ai/sdk';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, generateText, jsonSchema, Output, streamText, tool } from 'ai';
import { createInterface } from 'node:readline';
import OpenAI from 'openai';

const [url, apiKey] = process.argv.slice(2);
const options = { baseURL: `${url}/v1`, apiKey, maxRetries: 0, timeout: 30_000 };
const openai = new OpenAI(options);
const anthropic = new Anthropic({ ...options, baseURL: url });
const aiOpenai = createOpenAI({ baseURL: `${url}/v1`, apiKey });
const aiAnthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey });

const dataUrl = (png) => `data:image/png;base64,${png}`;
const described = (tools, make) => Object.entries(tools).map(([name, schema]) => make(name, `Call ${name}`, schema));
const word = (words, found) => words[found] ?? found;

// Counts events, and hangs up after as many as were asked for.
class Ear {
  constructor({ after }) {
    this.after = after ?? Infinity;
    this.events = 0;
    this.abort = new AbortController();
  }
  heard() {
    this.events += 1;
    if (this.events < this.after) return false;
    this.abort.abort();
    return true;
  }
}

const chat = {
  request(ask) {
    const messages = ask.system ? [{ role: 'system', content: ask.system }] : [];
    for (const turn of ask.turns) {
      if (turn.raw) messages.push(turn.raw);
      else if (turn.results)
        for (const { call, text } of turn.results) messages.push({ role: 'tool', tool_call_id: call.id, content: text });
      else if (turn.png)
        messages.push({
          role: 'user',
          content: [
            { type: 'text', text: turn.text },
            { type: 'image_url', image_url: { url: dataUrl(turn.png) } },
          ],
        });
      else messages.push({ role: 'user', content: turn.text });
    }
    const request = { model: ask.model, messages, max_completion_tokens: ask.max_tokens };
    const tools = described(ask.tools, (name, description, parameters) => ({
      type: 'function',
      function: { name, description, parameters },
    }));
    if (tools.length) Object.assign(request, { tools, tool_choice: ask.must_call ? 'required' : 'auto' });
    if (ask.schema)
      request.response_format = { type: 'json_schema', json_schema: { name: 'report', schema: ask.schema, strict: true } };
    if (ask.effort) request.reasoning_effort = ask.effort;
    return request;
  },
  async answer(ask, ear) {
    const request = chat.request(ask);
    let done;
    if (ask.stream) {
      const runner = openai.chat.completions.stream({ ...request, stream_options: { include_usage: true } });
      for await (const chunk of runner) if (chunk.choices.length && ear.heard()) return {};
      done = await runner.finalChatCompletion();
    } else {
      done = await openai.chat.completions.create(request);
    }
    const [{ message, finish_reason }] = done.choices;
    const { parsed, ...raw } = message;
    for (const call of raw.tool_calls ?? []) delete call.function.parsed_arguments;
    return {
      text: message.content ?? '',
      calls: (message.tool_calls ?? []).map((call) => ({
        id: call.id,
        name: call.function.name,
        arguments: JSON.parse(call.function.arguments),
      })),
      thought: message.reasoning_content ?? '',
      stop: word({ stop: 'end', tool_calls: 'tools' }, finish_reason),
      prompt: done.usage.prompt_tokens,
      completion: done.usage.completion_tokens,
      raw,
    };
  },
};

const responses = {
  request(ask) {
    const input = [];
    for (const turn of ask.turns) {
      if (turn.raw) input.push(...turn.raw);
      else if (turn.results)
        for (const { call, text } of turn.results)
          input.push({ type: 'function_call_output', call_id: call.id, output: text });
      else if (turn.png)
        input.push({
          role: 'user',
          content: [
            { type: 'input_text', text: turn.text },
            { type: 'input_image', image_url: dataUrl(turn.png), detail: 'auto' },
          ],
        });
      else input.push({ role: 'user', content: turn.text });
    }
    const request = { model: ask.model, input, store: false, max_output_tokens: ask.max_tokens };
    if (ask.system) request.instructions = ask.system;
    const tools = described(ask.tools, (name, description, parameters) => ({
      type: 'function',
      name,
      description,
      parameters,
      strict: false,
    }));
    if (tools.length) Object.assign(request, { tools, tool_choice: ask.must_call ? 'required' : 'auto' });
    if (ask.schema) request.text = { format: { type: 'json_schema', name: 'report', schema: ask.schema, strict: true } };
    if (ask.effort) {
      request.reasoning = { effort: ask.effort, summary: 'auto' };
      request.include = ['reasoning.encrypted_content'];
    }
    return request;
  },
  async answer(ask, ear) {
    const request = responses.request(ask);
    let done;
    if (ask.stream) {
      const runner = openai.responses.stream(request);
      for await (const event of runner) {
        if (event.type === 'response.failed') throw new OpenAI.APIError(undefined, event.response.error);
        if (ear.heard()) return {};
      }
      done = await runner.finalResponse();
    } else {
      done = await openai.responses.create(request);
    }
    const of = (type) => done.output.filter((item) => item.type === type);
    const calls = of('function_call').map((item) => ({
      id: item.call_id,
      name: item.name,
      arguments: JSON.parse(item.arguments),
    }));
    const thoughts = of('reasoning').flatMap((item) => [...item.summary, ...(item.content ?? [])]);
    const cut = done.incomplete_details?.reason === 'max_output_tokens';
    return {
      text: done.output_text,
      calls,
      thought: thoughts.map((part) => part.text).join(''),
      stop: done.status === 'completed' ? (calls.length ? 'tools' : 'end') : cut ? 'length' : done.status,
      prompt: done.usage.input_tokens,
      completion: done.usage.output_tokens,
      raw: done.output.map(({ parsed_arguments, ...item }) => item),
    };
  },
};

const messages = {
  request(ask) {
    const turns = ask.turns.map((turn) => {
      if (turn.raw) return { role: 'assistant', content: turn.raw };
      if (turn.results)
        return {
          role: 'user',
          content: turn.results.map(({ call, text }) => ({ type: 'tool_result', tool_use_id: call.id, content: text })),
        };
      const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: turn.png } };
      return { role: 'user', content: turn.png ? [image, { type: 'text', text: turn.text }] : turn.text };
    });
    const request = { model: ask.model, messages: turns, max_tokens: ask.max_tokens };
    if (ask.system) request.system = ask.system;
    const tools = described(ask.tools, (name, description, input_schema) => ({ name, description, input_schema }));
    if (tools.length) Object.assign(request, { tools, tool_choice: { type: ask.must_call ? 'any' : 'auto' } });
    if (ask.schema) request.output_config = { format: { type: 'json_schema', schema: ask.schema } };
    if (ask.effort) request.thinking = { type: 'enabled', budget_tokens: 2000 };
    return request;
  },
  async answer(ask, ear) {
    const request = messages.request(ask);
    let done;
    if (ask.stream) {
      const stream = anthropic.messages.stream(request);
      for await (const event of stream) if (ear.heard()) return {};
      done = await stream.finalMessage();
    } else {
      done = await anthropic.messages.create(request);
    }
    const of = (type) => done.content.filter((block) => block.type === type);
    const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens, output_tokens } = done.usage;
    return {
      text: of('text').map((block) => block.text).join(''),
      calls: of('tool_use').map((block) => ({ id: block.id, name: block.name, arguments: block.input })),
      thought: of('thinking').map((block) => block.thinking).join(''),
      stop: word({ end_turn: 'end', max_tokens: 'length', tool_use: 'tools' }, done.stop_reason),
      prompt: input_tokens + (cache_read_input_tokens ?? 0) + (cache_creation_input_tokens ?? 0),
      completion: output_tokens,
      raw: done.content.map(({ parsed_output, ...block }) => block),
    };
  },
};

// The Vercel AI SDK: one shape of request for every provider of its own.
const vercel = (model, providerOptions) => ({
  request(ask, ear) {
    const turns = ask.turns.flatMap((turn) => {
      if (turn.raw) return turn.raw;
      if (turn.results)
        return {
          role: 'tool',
          content: turn.results.map(({ call, text }) => ({
            type: 'tool-result',
            toolCallId: call.id,
            toolName: call.name,
            output: { type: 'text', value: text },
          })),
        };
      const image = { type: 'file', mediaType: 'image/png', data: turn.png };
      return { role: 'user', content: turn.png ? [{ type: 'text', text: turn.text }, image] : turn.text };
    });
    const tools = Object.fromEntries(
      described(ask.tools, (name, description, schema) => [
        name,
        tool({ description, inputSchema: jsonSchema(schema) }),
      ]),
    );
    return {
      model: model(ask.model),
      messages: turns,
      instructions: ask.system ?? undefined,
      maxOutputTokens: ask.max_tokens,
      maxRetries: 0,
      abortSignal: ear.abort.signal,
      providerOptions: providerOptions(ask),
      ...(Object.keys(tools).length ? { tools, toolChoice: ask.must_call ? 'required' : 'auto' } : {}),
      ...(ask.schema ? { output: Output.object({ schema: jsonSchema(ask.schema), name: 'report' }) } : {}),
    };
  },
  async answer(ask, ear) {
    const request = this.request(ask, ear);
    let done;
    if (ask.stream) {
      const result = streamText({ ...request, onError: () => {} });
      for await (const part of result.stream) {
        if (part.type === 'error') throw part.error;
        if (part.type === 'text-delta' && ear.heard()) return {};
      }
      const names = ['text', 'toolCalls', 'reasoningText', 'finishReason', 'usage', 'response'];
      done = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await result[name]])));
    } else {
      done = await generateText(request);
    }
    return {
      text: done.text,
      calls: done.toolCalls.map((call) => ({ id: call.toolCallId, name: call.toolName, arguments: call.input })),
      thought: done.reasoningText ?? '',
      stop: word({ stop: 'end', 'tool-calls': 'tools' }, done.finishReason),
      prompt: done.usage.inputTokens,
      completion: done.usage.outputTokens,
      raw: done.response.messages,
    };
  },
});

const clients = {
  node_chat: chat,
  node_responses: responses,
  node_messages: messages,
  ai_chat: vercel(
    (model) => aiOpenai.chat(model),
    // It knows reasoning models by OpenAI's bare names.
    (ask) => ({ openai: ask.effort ? { reasoningEffort: ask.effort, forceReasoning: true } : {} }),
  ),
  ai_responses: vercel(
    (model) => aiOpenai.responses(model),
    (ask) => ({
      openai: {
        store: false,
        ...(ask.effort
          ? { reasoningEffort: ask.effort, reasoningSummary: 'auto', include: ['reasoning.encrypted_content'] }
          : {}),
      },
    }),
  ),
  ai_messages: vercel(
    (model) => aiAnthropic(model),
    (ask) => ({ anthropic: ask.effort ? { thinking: { type: 'enabled', budgetTokens: 2000 } } : {} }),
  ),
};

// The class by which a program would tell the error.
function failure(error) {
  const status = error?.status ?? error?.statusCode ?? null;
  const kind = APICallError.isInstance(error) ? 'APICallError' : error?.constructor?.name;
  return { kind, status, message: String(error?.message ?? error) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const ask = JSON.parse(line);
  const ear = new Ear(ask);
  let said;
  try {
    said = { answer: await clients[ask.client].answer(ask, ear) };
  } catch (error) {
    said = { error: failure(error) };
  }
  process.stdout.write(`${JSON.stringify({ ...said, events: ear.events })}\n`);
}
