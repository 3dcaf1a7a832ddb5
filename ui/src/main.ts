import '@fontsource-variable/inter/opsz.css';
import './tokens.css';
import './base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { openHost } from './host';
import { theme } from './theme.svelte';

theme.apply();
const target = document.getElementById('app');
if (target) mount(App, { target, props: { host: openHost() } });
