/** The engine's own process: the only place that loads the native addon, so that its abort takes nothing else down. */
import { messageOf } from '../../core/errors.ts';
import { loadBackend } from './load-backend.ts';
import { LoadedModel } from './loaded-model.ts';
import type { FromChild, ToChild } from './protocol.ts';
import { faultOf } from './request-fault.ts';

let model: LoadedModel | undefined;

function send(message: FromChild): void {
  process.send?.(message);
}

function receive(message: ToChild): void {
  switch (message.type) {
    case 'load':
      load(message).catch((error: unknown) => send({ type: 'load-failed', message: messageOf(error) }));
      break;
    case 'generate':
      model?.generate(message.id, message.arm, message.request);
      break;
    case 'cancel':
      model?.cancel(message.id);
      break;
    case 'answer-now':
      model?.answerNow(message.id);
      break;
    case 'ask':
      model?.answer(message.id, message.question).then(
        (value) => send({ type: 'reply', id: message.id, value }),
        (error: unknown) => send({ type: 'fault', id: message.id, fault: faultOf(error) }),
      );
      break;
    case 'shutdown':
      process.exit(0);
  }
}

async function load({ options }: Extract<ToChild, { type: 'load' }>): Promise<void> {
  const llama = await loadBackend(options.backend, { threads: options.threads });
  model = await LoadedModel.load(llama, options, {
    onStep: (arm, events, size) => send({ type: 'step', arm, size, events }),
    onFault: (id, fault) => send({ type: 'fault', id, fault }),
  });
  send({ type: 'ready', info: model.info });
}

process.on('message', receive);
// Ctrl-C in a terminal, and a service manager's stop, reach every process; the server drains and decides when this one ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit(0));
