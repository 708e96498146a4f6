/** Reading a QR code with the camera of this device. */
export { mayHaveCamera } from './camera.ts'
export { default as QrScan } from './QrScan.svelte'
