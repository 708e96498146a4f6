/**
 * The registry of places: navigation and router are made from it. A new place is
 * one folder with a descriptor and one line here.
 */
import { addDeviceView } from './add-device/index.ts'
import { chatView } from './chat/index.ts'
import { devicesView } from './devices/index.ts'
import { securityView } from './security/index.ts'
import { roomsView } from './rooms/index.ts'
import { settingsView } from './settings/index.ts'
import type { ViewDescriptor, ViewId } from './view.ts'

export { type ViewDescriptor, type ViewId } from './view.ts'

const BY_ID: Readonly<Record<ViewId, ViewDescriptor>> = {
  chat: chatView,
  rooms: roomsView,
  devices: devicesView,
  add: addDeviceView,
  security: securityView,
  settings: settingsView,
}

/** Every place there is, in the order of the navigation. */
export const VIEWS: readonly ViewDescriptor[] = Object.values(BY_ID)

/** The place with this name; an unknown name is home. */
export function viewNamed(name: string): ViewDescriptor {
  return VIEWS.find((view) => view.id === name) ?? chatView
}
