/** Rooms and the names in them: what the screens of rooms stand on. */
export type { MeshRooms as RoomsPort, RoomDevice, RoomPerson } from '../../mesh/rooms-types.ts'
