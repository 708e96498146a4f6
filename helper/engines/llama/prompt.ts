import {
  GeneralChatWrapper,
  LlamaText,
  SpecialTokensText,
  JinjaTemplateChatWrapper,
  type ChatHistoryItem,
  type ChatWrapper,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp'
import { messageOf } from '../../../mesh/base/index.ts'
import type { ChatMessage } from '../../../mesh/engine/index.ts'
import { marksOf, textTokenizer } from './plain-text.ts'

/** Turns messages into the tokens a model was trained to read. */
export interface PromptWriter {
  /** Strings that end an answer, beside the model's own end tokens. */
  readonly stops: readonly string[]
  write(messages: readonly ChatMessage[]): number[]
}

/**
 * A writer for the model's own chat template. Templates are run by the library's
 * interpreter, which knows no files, no imports and no attributes of objects
 * (CVE-2024-34359), in this process without keys or documents. What people wrote
 * is never read as a control token. A model without a usable template gets a
 * plain one, and `log` says so.
 */
export function createPromptWriter(model: LlamaModel, log: (text: string) => void): PromptWriter {
  if (isPlainChatMl(model)) {
    const tokenizer = textTokenizer(model.tokenizer, marksOf(model, tokensOf(writeChatMl(PROBE), model)))
    return { stops: [], write: (messages) => writeChatMl(messages).tokenize(tokenizer) }
  }
  const wrapper = chooseWrapper(model, log)
  const { contextText: probe } = wrapper.generateContextState({ chatHistory: toHistory(PROBE) })
  const tokenizer = textTokenizer(model.tokenizer, marksOf(model, tokensOf(probe, model)))
  return {
    stops: textStops(wrapper, model),
    write(messages) {
      const { contextText } = wrapper.generateContextState({ chatHistory: toHistory(messages) })
      const tokens: number[] = contextText.tokenize(tokenizer)
      const { bos } = model.tokens
      if (model.tokens.shouldPrependBosToken && bos !== null && tokens[0] !== bos) tokens.unshift(bos)
      return tokens
    },
  }
}

/** A conversation in which every role has its turn. */
const PROBE: readonly ChatMessage[] = [
  { role: 'user', content: 'x' },
  { role: 'assistant', content: 'x' },
  { role: 'user', content: 'x' },
]

/** The tokens a template writes by itself. */
function tokensOf(text: LlamaText, model: LlamaModel): Token[] {
  return text.values.flatMap((value) => (value instanceof SpecialTokensText ? value.tokenize(model.tokenizer) : []))
}

/** The loop of ChatML, whatever stands around it. */
const CHATML_LOOP = /'<\|im_start\|>'\+message\['role'\]\+'(?:\\n|\n)'\+message\['content'\]\+'<\|im_end\|>'/

/**
 * True for templates that are ChatML and no more. Some add a system message that
 * nobody wrote: it costs reading time, and small models answer worse with it, so
 * these are written here, and only what people said is in the prompt.
 */
function isPlainChatMl(model: LlamaModel): boolean {
  const template = model.fileInfo.metadata.tokenizer.chat_template ?? ''
  const loop = template.replaceAll(/[ \t]/g, '')
  const isPlain = CHATML_LOOP.test(loop) && !/tools|think|macro|namespace/.test(template)
  const isOneToken = (mark: string): boolean => model.tokenize(mark, true).length === 1
  return isPlain && isOneToken('<|im_start|>') && model.isEogToken(model.tokenize('<|im_end|>', true)[0])
}

function writeChatMl(messages: readonly ChatMessage[]): LlamaText {
  const last = messages.at(-1)
  const continues = last?.role === 'assistant'
  const parts = messages.flatMap((message) => {
    const start = new SpecialTokensText(`<|im_start|>${message.role}\n`)
    const isOpen = continues && message === last
    return isOpen ? [start, message.content] : [start, message.content, new SpecialTokensText('<|im_end|>\n')]
  })
  return LlamaText(continues ? parts : [...parts, new SpecialTokensText('<|im_start|>assistant\n')])
}

function chooseWrapper(model: LlamaModel, log: (text: string) => void): ChatWrapper {
  const template = model.fileInfo.metadata.tokenizer.chat_template
  if (template === undefined || template.trim() === '') {
    log('this model has no chat template; a plain one is used')
    return new GeneralChatWrapper()
  }
  try {
    const wrapper = new JinjaTemplateChatWrapper({ template, tokenizer: model.tokenizer, reasoning: false })
    wrapper.generateContextState({ chatHistory: toHistory([{ role: 'user', content: 'x' }]) })
    return wrapper
  } catch (error) {
    log(`the chat template of this model cannot be used (${messageOf(error).slice(0, 200)}); a plain one is used`)
    return new GeneralChatWrapper()
  }
}

/** An assistant's message at the end is continued; otherwise a new turn begins. */
function toHistory(messages: readonly ChatMessage[]): ChatHistoryItem[] {
  const history = messages.map((message): ChatHistoryItem => {
    switch (message.role) {
      case 'system':
        return { type: 'system', text: message.content }
      case 'user':
        return { type: 'user', text: message.content }
      case 'assistant':
        return { type: 'model', response: [message.content] }
    }
  })
  return messages.at(-1)?.role === 'assistant' ? history : [...history, { type: 'model', response: [] }]
}

/** End marks of the template as text; those that are one end token of the model end it anyway. */
function textStops(wrapper: ChatWrapper, model: LlamaModel): string[] {
  const { stopGenerationTriggers } = wrapper.generateContextState({
    chatHistory: toHistory([{ role: 'user', content: 'x' }]),
  })
  return stopGenerationTriggers.flatMap((trigger) => {
    const tokens = trigger.tokenize(model.tokenizer)
    if (tokens.length === 0 || tokens.some((token) => model.isEogToken(token))) return []
    const text = model.detokenize(tokens, true)
    return text.trim() === '' ? [] : [text]
  })
}
