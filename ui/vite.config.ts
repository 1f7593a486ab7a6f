import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** Where a hub (or the stand-in of `dev/`) listens while developing. */
const hub = process.env['COMMONWATCH_HUB'] ?? 'http://127.0.0.1:8470';

export default defineConfig({
  base: './',
  plugins: [svelte()],
  build: {
    outDir: '../src/commonwatch/web/_ui',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: 'es2023',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  worker: { format: 'es' },
  server: { proxy: { '/api': { target: hub, changeOrigin: false } } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
