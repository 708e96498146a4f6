import { MeshError } from '../../../mesh/base/index.ts'

/** Pictures are read at this size: a code that fills half of one still has four points to a module. */
const PICTURE_MAX_WIDTH = 800

/** Whether this page may ask for a camera at all: one that came over plain HTTP may not. */
export function mayHaveCamera(): boolean {
  return (navigator as { readonly mediaDevices?: MediaDevices }).mediaDevices !== undefined
}

/**
 * Shows what the camera at the back sees in `video` until the signal ends it.
 * @throws MeshError `unauthorized` when the person or the browser says no,
 * `unsupported` when there is no camera or something else has it, `aborted`
 */
export async function showCamera(video: HTMLVideoElement, options: { readonly signal: AbortSignal }): Promise<void> {
  const { signal } = options
  const stream = await askForCamera()
  const stop = (): void => {
    for (const track of stream.getTracks()) track.stop()
    video.srcObject = null
  }
  if (signal.aborted) {
    stop()
    throw new MeshError('aborted', 'Stopped.')
  }
  signal.addEventListener('abort', stop, { once: true })
  video.srcObject = stream
  await video.play()
}

async function askForCamera(): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: 'environment', width: { ideal: 1280 } },
    })
  } catch (cause) {
    const refused = cause instanceof DOMException && cause.name === 'NotAllowedError'
    if (refused) throw new MeshError('unauthorized', 'This browser lets the page use no camera.', { cause })
    throw new MeshError('unsupported', 'There is no camera this page can use.', { cause })
  }
}

/** What the video shows now; undefined before its first picture. */
export function pictureOf(video: HTMLVideoElement, canvas: HTMLCanvasElement): ImageData | undefined {
  const { videoWidth, videoHeight } = video
  if (videoWidth === 0) return undefined
  const scale = Math.min(1, PICTURE_MAX_WIDTH / videoWidth)
  canvas.width = Math.round(videoWidth * scale)
  canvas.height = Math.round(videoHeight * scale)
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (context === null) return undefined
  context.drawImage(video, 0, 0, canvas.width, canvas.height)
  return context.getImageData(0, 0, canvas.width, canvas.height)
}
