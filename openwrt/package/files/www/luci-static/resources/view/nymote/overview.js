'use strict';
'require view';
'require dom';
'require poll';
'require rpc';
'require uci';
'require ui';

// One page: how nymote is, which devices it knows, and the way into its own admin.
// Everything shown comes from the ubus object `nymote`; when that is missing, the service is not up.

const callStatus = rpc.declare({ object: 'nymote', method: 'status', expect: { '': {} } });
const callList = rpc.declare({ object: 'nymote', method: 'list', expect: { devices: [] } });
const callDoctor = rpc.declare({ object: 'nymote', method: 'doctor', expect: { findings: [] } });
const callSignInLink = rpc.declare({
	object: 'nymote',
	method: 'sign_in_link',
	params: ['host'],
	expect: { '': {} },
	reject: true,
});

const POLL_SECONDS = 5;

const KINDS = {
	signpost: _('Signpost'),
	node: _('Full node'),
	plain: _('Plain device'),
};

const PEER_STATES = {
	up: _('connected'),
	pending: _('connecting'),
	idle: _('not asked for'),
	failed: _('failed'),
};

function readState() {
	return Promise.all([callStatus(), callList(), callDoctor()].map((call) => call.catch(() => null)));
}

function sentenceOf(status) {
	if (status?.sentence) return status.sentence;
	if (!uci.get('nymote', 'main', 'user')) return _('Nymote is installed. Say whose devices these are to start it.');
	if (uci.get('nymote', 'main', 'enabled') === '0') return _('Nymote is switched off.');
	return _('Nymote is not running.');
}

// LuCI's E() takes a lone string as HTML, and strings in a list as text. Names come from other
// devices, so everything here is a list.
function el(tag, attributes, ...children) {
	return E(tag, attributes, children.flat());
}

function table(titles, rows, empty) {
	const head = el('tr', { class: 'tr table-titles' }, titles.map((title) => el('th', { class: 'th', scope: 'col' }, title)));
	const body = rows.length
		? rows.map((row) =>
				el(
					'tr',
					{ class: 'tr' },
					row.map((cell, index) => el('td', { class: 'td', 'data-title': titles[index] }, cell)),
				),
			)
		: [el('tr', { class: 'tr placeholder' }, el('td', { class: 'td', colspan: titles.length }, el('em', {}, empty)))];
	return el('table', { class: 'table' }, [head, ...body]);
}

function warningsOf(status, findings) {
	const found = (findings ?? []).filter(({ state }) => state !== 'ok').map(({ sentence }) => sentence);
	return [...new Set([...(status?.warnings ?? []), ...found])];
}

function drawState([status, devices, findings]) {
	const warnings = warningsOf(status, findings);
	return [
		el('p', { role: 'status' }, sentenceOf(status)),
		...(status?.apex ? [el('p', {}, [_('Zone'), ': ', el('code', {}, status.apex)])] : []),
		...(warnings.length
			? [el('div', { class: 'alert-message warning', role: 'alert' }, el('ul', {}, warnings.map((text) => el('li', {}, text))))]
			: []),
		el('h3', {}, _('Devices')),
		table(
			[_('Name'), _('Kind'), _('Addresses')],
			(devices ?? []).map((device) => [
				device.self ? _('%s (this router)').format(device.name) : device.name,
				KINDS[device.kind] ?? device.kind,
				(device.addresses ?? []).join(', '),
			]),
			_('No devices yet.'),
		),
		el('h3', {}, _('Tunnels')),
		table(
			[_('Peer'), _('State'), _('Why')],
			(status?.peers ?? []).map((peer) => [peer.name, PEER_STATES[peer.state] ?? peer.state, peer.why]),
			_('No tunnels. One is made when a device asks for another by name.'),
		),
	];
}

// A tab opened after the answer has come counts as a pop-up; one opened at the click does not.
function openAdmin() {
	const tab = window.open('', '_blank');
	const host = window.location.hostname;
	return callSignInLink(host)
		.then(({ url }) => {
			// Only a web address: it comes over the bus, and the tab is ours until it has loaded.
			if (!/^https?:\/\//.test(url ?? '')) throw new Error(_('there was no answer'));
			if (tab) {
				tab.opener = null;
				tab.location.replace(url);
			} else {
				const link = { href: url, rel: 'noreferrer', target: '_blank' };
				ui.addNotification(null, el('p', {}, el('a', link, _('Open the admin'))));
			}
		})
		.catch((error) => {
			tab?.close();
			ui.addNotification(null, el('p', {}, _('No sign-in link: '), error.message), 'error');
		});
}

function saveUser(input) {
	const user = input.value.trim().toLowerCase();
	if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(user)) {
		ui.addNotification(null, el('p', {}, _('Use letters, digits and hyphens, as in a host name.')), 'warning');
		input.focus();
		return Promise.resolve();
	}
	uci.set('nymote', 'main', 'user', user);
	uci.set('nymote', 'main', 'enabled', '1');
	return uci
		.save()
		.then(() => uci.apply())
		.then(() => window.location.reload());
}

function drawSetup() {
	const input = el('input', { id: 'nymote-user', class: 'cbi-input-text', maxlength: 63, autocapitalize: 'none', spellcheck: 'false' });
	return el('div', { class: 'cbi-value' }, [
		el('label', { class: 'cbi-value-title', for: 'nymote-user' }, _('Whose devices are these?')),
		el('div', { class: 'cbi-value-field' }, [
			input,
			' ',
			el('button', { class: 'btn cbi-button-save', click: ui.createHandlerFn(null, () => saveUser(input)) }, _('Start')),
			el('div', { class: 'cbi-value-description' }, _('Your devices will be called <name>.<this>.nymote. It is hard to change later.')),
		]),
	]);
}

return view.extend({
	handleSave: null,
	handleSaveApply: null,
	handleReset: null,

	load() {
		return uci.load('nymote').then(readState);
	},

	render(state) {
		const live = el('div', {}, drawState(state));
		poll.add(() => readState().then((next) => dom.content(live, drawState(next))), POLL_SECONDS);
		const isSetUp = Boolean(uci.get('nymote', 'main', 'user'));
		const admin = el('button', { class: 'btn cbi-button-action important', click: ui.createHandlerFn(this, openAdmin) }, _('Open admin'));
		return el('div', { class: 'cbi-map' }, [
			el('h2', {}, 'Nymote'),
			isSetUp ? el('p', {}, admin) : drawSetup(),
			live,
		]);
	},
});
