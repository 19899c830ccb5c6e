export { type DoorAddress, openThroughDoor } from './open.ts';
export { type LinkDoor, type LinkDoorOptions, serveLinkDoor } from './serve.ts';
