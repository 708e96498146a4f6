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

/** What a page may have or not. */
export interface PageHas {
  readonly rooms: boolean
}

/** Every place there is on this page, in the order of the navigation. */
export function viewsOf(page: PageHas): readonly ViewDescriptor[] {
  return Object.values(BY_ID).filter((view) => view.needs === undefined || page[view.needs])
}

/** The place with this name; a name that is unknown, or of a place that is not there, is home. */
export function viewNamed(name: string, page: PageHas): ViewDescriptor {
  return viewsOf(page).find((view) => view.id === name) ?? chatView
}
