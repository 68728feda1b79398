/** `npm run doctor`: checks the configuration against the live services and says, a line each, what is wrong. */
import { readEnvFile } from './config/env-file.ts';
import { startDoctor } from './doctor/doctor.ts';

const code = await startDoctor({
  words: process.argv.slice(2),
  environment: process.env,
  readEnvFile,
  say: (text) => void process.stdout.write(text),
  progress: process.stderr.isTTY ? (text) => void process.stderr.write(text) : null,
});
// What was given up may still hold a connection; what was said has to be out first.
process.stdout.write('', () => process.exit(code));
