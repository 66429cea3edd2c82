/** Names in a run's folder on another machine: the same as here. */
export const eventsName = 'events.jsonl';
export const logName = 'trainer.log';
export const jobName = 'job.json';
/** Where trackers keep their files. */
export const trackingName = 'tracking';
