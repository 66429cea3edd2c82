import path from 'node:path';
import { writeFileAtomically, writeJsonAtomically } from '../../core/atomic-file.ts';
import type { Config } from '../../core/config.ts';
import { checkFreeDisk } from '../../core/free-disk.ts';
import { convertedGgufTypes, type GgufType } from '../../core/schema/gguf-type.ts';
import type { Run } from '../../core/schema/run.ts';
import { type ConvertedGgufType, convertToGguf } from '../convert-to-gguf.ts';
import { ensurePython, type ReportStep } from '../python-environment.ts';
import type { RunFolder } from '../run-folder.ts';
import { readSource } from '../run-source.ts';
import { checkGguf, fallbackNotice } from './check-gguf.ts';
import { convertAdapter } from './convert-adapter.ts';
import { expectedBytes } from './expected-sizes.ts';
import type { ExportSource } from './export-source.ts';
import { describeFile, isIntact } from './exported-file.ts';
import { ggufMetadata, licenceOf } from './gguf-metadata.ts';
import { type GgufContents, inspectGguf } from './inspect-gguf.ts';
import { ensureLlamaQuantize } from './llama-quantize.ts';
import { writeModelfile } from './modelfile.ts';
import { type QuantisedGgufType, quantiseGguf, typesForQuantizer } from './quantise-gguf.ts';
import { exportFile, RunExport } from './run-export.ts';

type ExportedGguf = RunExport['ggufs'][number];

const isConverted = (type: GgufType): type is ConvertedGgufType => convertedGgufTypes.some((candidate) => candidate === type);

export interface ExportRunDeps {
  readonly config: Pick<Config, 'home' | 'python' | 'venv' | 'threads' | 'hubEndpoint'>;
  /** llama-quantize to try before one is compiled; left out: that on PATH. */
  readonly quantizer?: string;
}

export interface ExportRunOptions {
  /** Types beside those of the recipe. */
  readonly types?: readonly GgufType[];
  readonly onStep?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ExporterOptions {
  readonly run: Run;
  readonly folder: RunFolder;
  readonly deps: ExportRunDeps;
  readonly options: ExportRunOptions;
  readonly source: ExportSource;
  /** In the order in which they are listed. */
  readonly types: readonly GgufType[];
}

/** One export at work: what is made so far, and how the rest is made. */
export class Exporter {
  readonly #given: ExporterOptions;
  readonly #made = new Map<GgufType, ExportedGguf>();
  #adapter: RunExport['adapterGguf'] = null;

  constructor(given: ExporterOptions) {
    this.#given = given;
  }

  /** Takes over what is whole of an earlier export. */
  async keep({ ggufs, adapterGguf }: RunExport): Promise<void> {
    const { folder } = this.#given;
    for (const gguf of ggufs) if (await isIntact(folder.root, gguf)) this.#made.set(gguf.type, gguf);
    if (adapterGguf !== null && (await isIntact(folder.root, adapterGguf))) this.#adapter = adapterGguf;
  }

  async makeGgufs(): Promise<void> {
    const { folder, source, types, deps, options } = this.#given;
    const missing = types.filter((type) => !this.#made.has(type));
    const quantised = typesForQuantizer(missing);
    const needsBetween = quantised.length > 0 && !types.includes(source.ownType);
    const toWrite = [...missing, ...(needsBetween ? [source.ownType] : [])];
    await checkFreeDisk(
      folder.root,
      toWrite.reduce((sum, type) => sum + expectedBytes(type, source.weights), 0),
    );
    // What may be missing on this machine comes first, before minutes of work.
    const { onStep, signal } = options;
    const cacheDir = path.join(deps.config.home, 'cache');
    const quantizer =
      quantised.length === 0
        ? ''
        : await ensureLlamaQuantize({ cacheDir, onStep, signal, ...(deps.quantizer !== undefined && { installed: deps.quantizer }) });
    const converted = missing.filter(isConverted).filter((type) => !quantised.some((other) => other === type));
    for (const type of converted) await this.#record(type, (target) => this.#convert(type, target));
    if (quantised.length === 0) return;
    const origin = await this.#originOfQuants();
    for (const type of quantised) await this.#record(type, (target) => this.#quantise(quantizer, origin, type, target));
  }

  async makeAdapter(): Promise<void> {
    const { run, folder, deps, options } = this.#given;
    if (this.#adapter !== null || !run.recipe.output.adapterGguf) return;
    options.onStep?.('convert the adapter to GGUF f32');
    const target = path.join(folder.root, 'adapter-f32.gguf');
    await convertAdapter({
      python: await this.#python(),
      cacheDir: path.join(deps.config.home, 'cache'),
      name: run.recipe.output.name,
      adapter: folder.adapter,
      model: folder.merged,
      contents: await this.#contents(),
      target,
      signal: options.signal,
    });
    this.#adapter = await describeFile(target);
    await this.#save(null, []);
  }

  async finish(): Promise<RunExport> {
    const { run, folder, source } = this.#given;
    const contents = await this.#contents();
    const modelfile = writeModelfile({
      name: run.recipe.output.name,
      runId: run.id,
      ggufFile: path.basename(folder.gguf(run.recipe.output.ggufTypes[0] ?? 'q8_0')),
      template: source.template,
      contents,
      contextTokens: run.recipe.base.maxLengthTokens,
      licence: licenceOf(run.recipe.base.ref),
    });
    await writeFileAtomically(path.join(folder.root, 'Modelfile'), modelfile.text);
    return await this.#save('Modelfile', [...(await this.#fallbackNotices()), ...modelfile.notices]);
  }

  /** The merged weights as they are: a file that is kept anyhow, or one between that goes when all is made. */
  async #originOfQuants(): Promise<string> {
    const { folder, source } = this.#given;
    const own = this.#made.get(source.ownType);
    if (own !== undefined) return path.join(folder.root, own.file);
    const between = path.join(folder.root, `between-${source.ownType}.gguf`);
    await this.#convert(source.ownType, between);
    return between;
  }

  async #convert(type: ConvertedGgufType, target: string): Promise<void> {
    const { run, folder, deps, options, source } = this.#given;
    options.onStep?.(`convert the tuned model to GGUF ${type}`);
    const metadataFile = path.join(folder.root, '.gguf-metadata.json');
    await writeJsonAtomically(metadataFile, ggufMetadata(run, await readSource(folder), deps.config.hubEndpoint));
    await convertToGguf({
      python: await this.#python(),
      cacheDir: path.join(deps.config.home, 'cache'),
      source: folder.merged,
      target,
      type,
      metadataFile,
      expectedBytes: expectedBytes(type, source.weights),
      check: async (file) => checkGguf(target, await inspectGguf(file), source.template),
      signal: options.signal,
    });
  }

  async #quantise(program: string, origin: string, type: QuantisedGgufType, target: string): Promise<void> {
    const { deps, options, source } = this.#given;
    options.onStep?.(`quantise the tuned model to GGUF ${type}`);
    await quantiseGguf({
      program,
      source: origin,
      target,
      type,
      threads: deps.config.threads,
      expectedBytes: expectedBytes(type, source.weights),
      check: async (file) => checkGguf(target, await inspectGguf(file), source.template),
      signal: options.signal,
    });
  }

  async #record(type: GgufType, make: (target: string) => Promise<void>): Promise<void> {
    const target = this.#given.folder.gguf(type);
    await make(target);
    const { tensorTypes } = await inspectGguf(target);
    this.#made.set(type, { type, ...(await describeFile(target)), tensorTypes });
    await this.#save(null, []);
  }

  async #save(modelfile: string | null, notices: readonly string[]): Promise<RunExport> {
    const { folder, source, types } = this.#given;
    const ggufs = types.flatMap((type) => this.#made.get(type) ?? []);
    const made = RunExport.parse({ schemaVersion: 1, sourceSha256: source.sha256, ggufs, adapterGguf: this.#adapter, modelfile, notices });
    await writeJsonAtomically(exportFile(folder), made);
    return made;
  }

  /** Of the first file: vocabulary, template and shapes are the same in all. */
  async #contents(): Promise<GgufContents> {
    const { folder, types } = this.#given;
    return await inspectGguf(folder.gguf(types[0] ?? 'q8_0'));
  }

  async #python(): Promise<string> {
    const { config } = this.#given.deps;
    const { onStep, signal } = this.#given.options;
    return await ensurePython({ python: config.python, venv: config.venv, onStep, signal });
  }

  async #fallbackNotices(): Promise<string[]> {
    const notices: string[] = [];
    for (const { type, file } of this.#made.values()) {
      const notice = fallbackNotice(type, file, await inspectGguf(path.join(this.#given.folder.root, file)));
      if (notice !== null) notices.push(notice);
    }
    return notices;
  }
}
