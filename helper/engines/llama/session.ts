import { randomInt } from 'node:crypto'
import type { LlamaContext, LlamaModel, SequenceEvaluateOptions, Token } from 'node-llama-cpp'
import { MeshError, throwIfAborted } from '../../../mesh/base/index.ts'
import type { ChatMessage, FinishReason, Sampling } from '../../../mesh/engine/index.ts'
import { createPieceDecoder } from './piece-decoder.ts'
import type { PromptWriter } from './prompt.ts'
import type { EngineEvent } from './protocol.ts'
import { createSequencePool, type SequencePool, type Slot } from './sequences.ts'
import { createSliceSize, type SliceSize } from './slice-size.ts'
import { createStopFilter } from './stop-text.ts'
import { createTextBatch } from './text-batch.ts'

/** What small models answer best with, where the person said nothing. */
const DEFAULTS = { temperature: 0.3, topP: 0.9 } as const

/** Tokens looked back at for the two penalties. */
const PENALTY_WINDOW_TOKENS = 512

/**
 * What holds a small model back from saying the same line for ever, where nobody
 * asked for penalties of their own (Keskar et al. 2019, arXiv:1909.05858, §4.1).
 */
const AGAINST_LOOPS = { penalty: 1.1, windowTokens: 64 } as const

/**
 * Cells of a sequence that are never used: when the last ones fill up the library
 * begins to throw away the beginning of the context, which is never wanted here.
 */
const RESERVED_TOKENS = 2

/** Progress of reading is told at most this often, and at its end. */
const READING_TOLD_MS = 50

/** A loaded model that answers requests, several at a time. */
export interface Session {
  readonly sequences: number
  /** Resolves when the request holds nothing any more. @throws MeshError `engine-context`, `engine-failed`, `busy`, `aborted`. */
  generate(
    messages: readonly ChatMessage[],
    sampling: Sampling,
    options: { signal: AbortSignal; emit: (event: EngineEvent) => void },
  ): Promise<void>
}

interface Work {
  readonly model: LlamaModel
  readonly writer: PromptWriter
  readonly pool: SequencePool
  readonly limitTokens: number
  readonly slices: SliceSize
  /** One slice of one prompt at a time, so that a batch never holds more than one. */
  readonly inTurn: <Value>(step: () => Promise<Value>) => Promise<Value>
}

/** A session over a context whose sequences are all still free. */
export function createSession(model: LlamaModel, context: LlamaContext, writer: PromptWriter): Session {
  const sequences = Array.from({ length: context.totalSequences }, () => context.getSequence())
  const work: Work = {
    model,
    writer,
    pool: createSequencePool(sequences),
    limitTokens: context.contextSize - RESERVED_TOKENS,
    slices: createSliceSize(),
    inTurn: createTurns(),
  }
  return {
    sequences: sequences.length,
    generate: (messages, sampling, options) => answer(work, messages, sampling, options),
  }
}

/** Runs the steps given to it one after another. */
function createTurns(): Work['inTurn'] {
  let last: Promise<unknown> = Promise.resolve()
  return (step) => {
    const mine = last.then(step, step)
    last = mine.catch(() => undefined)
    return mine
  }
}

async function answer(
  work: Work,
  messages: readonly ChatMessage[],
  sampling: Sampling,
  { signal, emit }: { signal: AbortSignal; emit: (event: EngineEvent) => void },
): Promise<void> {
  const arrivedAt = performance.now()
  const tokens = work.writer.write(messages)
  checkLength(tokens.length, work.limitTokens)
  const slot = await work.pool.acquire(tokens, {
    signal,
    onAhead: (ahead) => {
      emit({ type: 'queued', ahead })
    },
  })
  try {
    const startedAt = performance.now()
    const cachedTokens = await readPrompt(work, slot, tokens, signal, emit)
    const told = await writeAnswer(work, slot, tokens, sampling, signal, emit)
    emit({
      type: 'end',
      finish: told.finish,
      usage: { promptTokens: tokens.length, cachedTokens, completionTokens: told.tokenCount },
      timings: {
        queueMs: startedAt - arrivedAt,
        prefillMs: told.firstTokenAt - startedAt,
        firstTokenMs: told.firstTokenAt - arrivedAt,
        decodeMs: told.lastTokenAt - told.firstTokenAt,
      },
    })
  } finally {
    work.pool.release(slot)
  }
}

/** Said before anything is read, so that it costs nothing. */
function checkLength(gotTokens: number, maxTokens: number): void {
  if (gotTokens < maxTokens) return
  throw new MeshError(
    'engine-context',
    `The conversation is ${String(gotTokens)} tokens long and this model reads at most ${String(maxTokens)}. Begin a new chat or shorten it.`,
    { detail: { maxTokens, gotTokens } },
  )
}

/** Reads all but the last token, in slices, and says how many were in the cache from before. */
async function readPrompt(
  work: Work,
  slot: Slot,
  tokens: readonly number[],
  signal: AbortSignal,
  emit: (event: EngineEvent) => void,
): Promise<number> {
  const { sequence } = slot
  const end = tokens.length - 1
  const common = Math.min(sequence.compareContextTokens(asTokens(tokens)).firstDifferentIndex, end)
  if (sequence.nextTokenIndex > common) {
    await sequence.eraseContextTokenRanges([{ start: common, end: sequence.nextTokenIndex }])
  }
  // Some models cannot forget only the end of what they read, and have forgotten more.
  const cachedTokens = Math.min(sequence.nextTokenIndex, common)
  let done = cachedTokens
  let toldAt = performance.now()
  emit({ type: 'reading', doneTokens: done, totalTokens: tokens.length })
  while (done < end) {
    throwIfAborted(signal)
    done = await work.inTurn(async () => {
      throwIfAborted(signal)
      const slice = tokens.slice(done, Math.min(done + work.slices.next(), end))
      const startedAt = performance.now()
      await sequence.evaluateWithoutGeneratingNewTokens(asTokens(slice))
      work.slices.measured(slice.length, performance.now() - startedAt)
      return done + slice.length
    })
    if (done < end && performance.now() - toldAt < READING_TOLD_MS) continue
    toldAt = performance.now()
    emit({ type: 'reading', doneTokens: done, totalTokens: tokens.length })
  }
  throwIfAborted(signal)
  return cachedTokens
}

interface Told {
  readonly finish: FinishReason
  readonly tokenCount: number
  readonly firstTokenAt: number
  readonly lastTokenAt: number
}

async function writeAnswer(
  work: Work,
  slot: Slot,
  tokens: readonly number[],
  sampling: Sampling,
  signal: AbortSignal,
  emit: (event: EngineEvent) => void,
): Promise<Told> {
  const { model } = work
  const decoder = createPieceDecoder((held, before) => model.detokenize(asTokens(held), false, asTokens(before)))
  const filter = createStopFilter([...(sampling.stop ?? []), ...work.writer.stops])
  const batch = createTextBatch(emit)
  const mostTokens = Math.min(sampling.maxTokens ?? Infinity, work.limitTokens - tokens.length)
  const written: Token[] = []
  let finish: FinishReason = 'stop'
  let firstTokenAt = performance.now()
  let lastTokenAt = firstTokenAt
  try {
    const last = asTokens(tokens.slice(-1))
    for await (const token of slot.sequence.evaluate(last, samplingOptions(sampling, written))) {
      throwIfAborted(signal)
      lastTokenAt = performance.now()
      if (written.length === 0) firstTokenAt = lastTokenAt
      written.push(token)
      const step = filter.push(decoder.push(token))
      batch.add(step.text)
      if (step.stopped) break
      if (written.length >= mostTokens) {
        finish = 'length'
        break
      }
    }
    throwIfAborted(signal)
    const rest = filter.push(decoder.flush())
    batch.addRest(rest.stopped ? rest.text : rest.text + filter.flush())
    batch.flush()
  } finally {
    batch.close()
  }
  return { finish, tokenCount: written.length, firstTokenAt, lastTokenAt }
}

function samplingOptions(sampling: Sampling, written: readonly Token[]): SequenceEvaluateOptions {
  const { presencePenalty, frequencyPenalty } = sampling
  const options: SequenceEvaluateOptions = {
    temperature: sampling.temperature ?? DEFAULTS.temperature,
    topP: sampling.topP ?? DEFAULTS.topP,
    // The sampler takes 32 bits.
    seed: sampling.seed === undefined ? randomInt(2 ** 32) : ((sampling.seed % 2 ** 32) + 2 ** 32) % 2 ** 32,
  }
  const own = presencePenalty !== undefined || frequencyPenalty !== undefined
  const windowTokens = own ? PENALTY_WINDOW_TOKENS : AGAINST_LOOPS.windowTokens
  return {
    ...options,
    repeatPenalty: {
      punishTokens: () => written.slice(-windowTokens),
      maxPunishTokens: windowTokens,
      penalty: own ? 1 : AGAINST_LOOPS.penalty,
      presencePenalty: presencePenalty ?? 0,
      frequencyPenalty: frequencyPenalty ?? 0,
    },
  }
}

/** Token numbers as the library's type: a number it marks as its own. */
function asTokens(tokens: readonly number[]): Token[] {
  return tokens as readonly Token[] as Token[]
}
