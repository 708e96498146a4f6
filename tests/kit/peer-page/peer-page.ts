import type { DeviceId } from '../../../mesh/base/index.ts'
import type { DeviceView } from '../../../mesh/mesh-types.ts'
import type { AskEvent } from '../../../mesh/route/index.ts'

/** How long a room took to be opened and to be made a view of. */
export interface OpenedRoom {
  readonly openMs: number
  readonly viewMs: number
  readonly messages: number
}

/** What a test drives a bare browser peer with: the product's peer, without screens. */
export interface PeerPage {
  /** @param options `stored`: in the sealed store of this browser; by default in memory */
  start(name: string, options?: { stored?: boolean }): Promise<DeviceId>
  join(link: string): Promise<DeviceView>
  devices(): readonly DeviceView[]
  ask(text: string, device?: string): Promise<{ text: string; events: AskEvent[] }>
  /** Asks and measures at the tab where the text arrives. */
  measure(
    text: string,
    maxTokens: number,
  ): Promise<{ firstTextMs: number; decodeTokensPerSecond: number; tokens: number }>
  /** Makes a room and writes so many messages into it, one by one; resolves to its id. */
  fillRoom(messages: number): Promise<string>
  /** Opens a room as a page does. */
  openRoom(room: string): Promise<OpenedRoom>
  /** Reads so many plain objects from IndexedDB. @returns ms */
  readPlainMessages(messages: number): Promise<number>
  /** A raw node of the product's making, reserved at a relay; resolves to its id. */
  startNode(relay: string): Promise<string>
  /** Dials an address and cuts the connection again. @returns ms, and whether it was direct */
  dialAndCut(address: string): Promise<{ ms: number; direct: boolean }>
  stop(): Promise<void>
}
