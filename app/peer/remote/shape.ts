import type * as z from 'zod/mini'
import type { EventSource } from '../../../mesh/base/index.ts'

/** A check of what arrives, and the type it has afterwards. */
export type Schema<Value> = z.ZodMiniType<Value>

type Schemas<Values extends readonly unknown[]> = { readonly [Index in keyof Values]: Schema<Values[Index]> }
type Method = (...given: never[]) => unknown

/** The options a method takes last, where they hold a signal; `never` where it takes none. */
type OptionsOf<Given extends readonly unknown[]> =
  Required<Given> extends readonly [...unknown[], infer Last] ? ('signal' extends keyof Last ? Last : never) : never

/** What a method is given before its options. */
type ArgumentsOf<Given extends readonly unknown[]> = [OptionsOf<Given>] extends [never]
  ? Required<Given>
  : Required<Given> extends readonly [...infer Before, unknown]
    ? Before
    : []

/** Options as they cross: without the signal, which becomes a `cancel`, and without functions. */
type PlainOptions<Options> = {
  [
    Key in keyof Options as Key extends 'signal' ? never : NonNullable<Options[Key]> extends Method ? never : Key
  ]: Options[Key]
}

/** Functions among the options: each call of one crosses as a `tap`. */
type TapsOf<Options> = {
  [Key in keyof Options as NonNullable<Options[Key]> extends Method ? Key : never]-?: NonNullable<
    Options[Key]
  > extends (value: infer Value) => unknown
    ? Schema<Value>
    : never
}

type WithOptions<Options> = [Options] extends [never]
  ? object
  : ([keyof PlainOptions<Options>] extends [never] ? object : { readonly options: Schema<PlainOptions<Options>> }) &
      ([keyof TapsOf<Options>] extends [never] ? object : { readonly taps: TapsOf<Options> })

/** Not shared: each tab has its own. */
interface Own {
  readonly kind: 'own'
}

/** How one member of a facade crosses from the leading tab to the others. */
type EntryOf<Member> =
  Member extends EventSource<infer Event>
    ? { readonly kind: 'events'; readonly value: Schema<Event> }
    : Member extends (...given: infer Given) => infer Result
      ? MethodEntry<Given, Result>
      : { readonly kind: 'value'; readonly value: Schema<Member> }

type MethodEntry<Given extends readonly unknown[], Result> = [Result] extends [AsyncIterable<infer Item>]
  ? { readonly kind: 'stream'; readonly args: Schemas<ArgumentsOf<Given>>; readonly value: Schema<Item> } & WithOptions<
      OptionsOf<Given>
    >
  : [Result] extends [void]
    ? { readonly kind: 'post'; readonly args: Schemas<ArgumentsOf<Given>> }
    : [Result] extends [Promise<infer Value>]
      ? {
          readonly kind: 'call'
          readonly args: Schemas<ArgumentsOf<Given>>
          readonly value: Schema<Value>
          /** Done twice it would be two: when the peer moves in the middle, it fails, and is not made again. */
          readonly once?: true
        } & WithOptions<OptionsOf<Given>>
      : Given extends readonly []
        ? { readonly kind: 'snapshot'; readonly value: Schema<Result> }
        : { readonly kind: 'call'; readonly args: Schemas<ArgumentsOf<Given>>; readonly value: Schema<Result> }

/**
 * Every member of a facade and how it crosses: a member without a line does not
 * compile. A `call` is answered once, a `stream` item by item, a `post` not at all;
 * `value` and `snapshot` are told to the other tabs at each change and read at once
 * there; `events` are told as they come, after the snapshots they are about. What is
 * named as `own` does not cross: each tab has its own.
 */
export type Shape<Facade, OwnNames extends keyof Facade = never> = {
  readonly [Name in keyof Facade]-?: Name extends OwnNames ? Own : EntryOf<Facade[Name]>
}

/** A facade as every tab has it: what is looked up with arguments may have to be asked for. */
export type Shared<Facade> = { readonly [Name in keyof Facade]: SharedMember<Facade[Name]> }

type SharedMember<Member> = Member extends (...given: infer Given) => infer Result
  ? Given extends readonly []
    ? Member
    : [Result] extends [AsyncIterable<unknown> | Promise<unknown>]
      ? Member
      : [Result] extends [void]
        ? Member
        : (...given: Given) => Result | Promise<Result>
  : Member

/** An entry with its types forgotten, for the machinery that handles all alike. */
export interface AnyEntry {
  readonly kind: 'own' | 'events' | 'value' | 'snapshot' | 'call' | 'stream' | 'post'
  readonly args?: readonly Schema<unknown>[]
  readonly options?: Schema<unknown>
  readonly taps?: Readonly<Record<string, Schema<unknown>>>
  readonly value?: Schema<unknown>
  readonly once?: true
}

/** A {@link Shape} with its types forgotten. */
export type AnyShape = Readonly<Record<string, AnyEntry>>

/** The entry of this name, if the shape itself has one: a name from outside may be `constructor`. */
export function entryOf(shape: AnyShape, name: string): AnyEntry | undefined {
  return Object.hasOwn(shape, name) ? shape[name] : undefined
}
