import { MeshError } from '../../../mesh/base/index.ts'
import wasmUrl from 'zxing-wasm/reader/zxing_reader.wasm?url'

/** Reads QR codes out of pictures. */
export interface QrReader {
  /** The text of a code in the picture, or undefined where there is none. */
  read(picture: ImageData): Promise<string | undefined>
}

/** The Barcode Detection API (WICG Shape Detection), as far as it is used here; few browsers have it. */
interface BrowserDetector {
  detect(picture: ImageData): Promise<readonly { readonly rawValue: string }[]>
}
interface BrowserDetectors {
  new (options: { readonly formats: readonly string[] }): BrowserDetector
  getSupportedFormats(): Promise<readonly string[]>
}

/**
 * The reader of the browser where it has one, else ZXing, fetched from this page's
 * own origin when it is first needed.
 * @throws MeshError `offline` when it cannot be fetched.
 */
export async function openQrReader(): Promise<QrReader> {
  return (await openBrowserReader()) ?? openOwnReader()
}

async function openBrowserReader(): Promise<QrReader | undefined> {
  const Detectors = (globalThis as { readonly BarcodeDetector?: BrowserDetectors }).BarcodeDetector
  if (Detectors === undefined || !(await Detectors.getSupportedFormats()).includes('qr_code')) return undefined
  const detector = new Detectors({ formats: ['qr_code'] })
  return { read: async (picture) => (await detector.detect(picture))[0]?.rawValue }
}

async function openOwnReader(): Promise<QrReader> {
  try {
    const { prepareZXingModule, readBarcodes } = await import('zxing-wasm/reader')
    // by default it would come from a content network
    await prepareZXingModule({ overrides: { locateFile: () => wasmUrl }, fireImmediately: true })
    return {
      read: async (picture) => (await readBarcodes(picture, { formats: ['QRCode'], maxNumberOfSymbols: 1 }))[0]?.text,
    }
  } catch (cause) {
    throw new MeshError('offline', 'What reads codes could not be fetched.', { cause, retryable: true })
  }
}
