import type { DeviceId } from '../../../mesh/base/index.ts'
import type { DeviceView } from '../../../mesh/mesh-types.ts'
import type { AskEvent } from '../../../mesh/route/index.ts'

/** What a test drives a bare browser peer with: the product's peer, without screens. */
export interface PeerPage {
  start(name: string): Promise<DeviceId>
  join(link: string): Promise<DeviceView>
  devices(): readonly DeviceView[]
  ask(text: string, device?: string): Promise<{ text: string; events: AskEvent[] }>
  /** Asks and measures at the tab where the text arrives. */
  measure(
    text: string,
    maxTokens: number,
  ): Promise<{ firstTextMs: number; decodeTokensPerSecond: number; tokens: number }>
  /** A raw node of the product's making, reserved at a relay; resolves to its id. */
  startNode(relay: string): Promise<string>
  /** Dials an address and cuts the connection again. @returns ms, and whether it was direct */
  dialAndCut(address: string): Promise<{ ms: number; direct: boolean }>
  stop(): Promise<void>
}
