import { writeFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'

const WIDTH = 1280
const HEIGHT = 720

/** What Chromium is started with so that its camera sees the picture in `file`, and nobody is asked. */
export function cameraFlags(file: string): readonly string[] {
  return [
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    `--use-file-for-fake-video-capture=${file}`,
  ]
}

/**
 * Writes what a camera sees that is held before a screen: a screenshot, smaller and a
 * little turned, in the middle of a grey picture. One frame of YUV4MPEG2, without colour.
 */
export async function photograph(page: Page, screenshot: Uint8Array, file: string): Promise<void> {
  const luma = await page.evaluate(
    async ({ png, width, height }) => {
      const bytes = Uint8Array.from(atob(png), (character) => character.charCodeAt(0))
      const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
      const context = new OffscreenCanvas(width, height).getContext('2d')
      if (context === null) return []
      context.fillStyle = '#777'
      context.fillRect(0, 0, width, height)
      context.translate(width / 2, height / 2)
      context.rotate(0.12)
      const scale = (height * 0.75) / Math.max(bitmap.width, bitmap.height)
      context.drawImage(
        bitmap,
        (-bitmap.width * scale) / 2,
        (-bitmap.height * scale) / 2,
        bitmap.width * scale,
        bitmap.height * scale,
      )
      const { data } = context.getImageData(0, 0, width, height)
      return Array.from({ length: width * height }, (_, index) => data[index * 4 + 1] ?? 0)
    },
    { png: Buffer.from(screenshot).toString('base64'), width: WIDTH, height: HEIGHT },
  )
  const head = `YUV4MPEG2 W${String(WIDTH)} H${String(HEIGHT)} F10:1 Ip A1:1 C420jpeg\nFRAME\n`
  const grey = Buffer.alloc((WIDTH * HEIGHT) / 2, 128)
  await writeFile(file, Buffer.concat([Buffer.from(head), Buffer.from(luma), grey]))
}
