/** Why the server closed a socket. 1002, 1007 and 1009 come from the protocol itself: a broken frame, bad UTF-8, a frame too large. */
export const closeCode = {
  stopping: 1001,
  serverFault: 1011,
  unusableFrames: 4400,
  doesNotRead: 4408,
} as const;
