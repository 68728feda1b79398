import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome'];

/** The browser of this machine, or null. */
export const browserPath = findBrowser(process.env['PATH'] ?? '');

/** To stand in the name of what needs a browser. */
export const browserNote =
  browserPath === null ? ' (skipped: no chromium on PATH; apt-get install chromium)' : '';

function findBrowser(path: string): string | null {
  const folders = [...path.split(delimiter).filter((folder) => folder !== ''), '/usr/bin'];
  const places = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  return places.find((place) => isRunnable(place)) ?? null;
}

function isRunnable(place: string): boolean {
  try {
    accessSync(place, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function launchBrowser(): Promise<Browser> {
  // Containers and root have no sandbox; the pages are our own.
  const args = ['--no-sandbox', '--disable-dev-shm-usage'];
  return chromium.launch({ executablePath: browserPath ?? '', args });
}

export interface Visit {
  page: Page;
  /** What a page must never have: errors, warnings, requests to elsewhere. */
  problems: string[];
}

/** A visitor of their own, with nothing remembered. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
  page.on('console', (line) => {
    if (['error', 'warning'].includes(line.type())) problems.push(`${line.type()}: ${line.text()}`);
  });
  page.on('request', (request) => {
    const asked = request.url();
    if (new URL(asked).origin !== new URL(url).origin && !asked.startsWith('data:'))
      problems.push(`asked ${asked}`);
  });
  await page.goto(url);
  return { page, problems };
}
