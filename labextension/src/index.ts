import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { SignInApi } from './api.ts';
import { MIME_TYPE, SignInCard } from './card.ts';

/** Shows a pending sign-in as a live card, in JupyterLab and Notebook 7 alike. */
const card: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-oauthconn:card',
  description: 'Shows a pending sign-in of an OAuth connection as a live card.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_oauthconn');
    const api = new SignInApi(app.serviceManager.serverSettings);
    rendermime.addFactory(
      {
        // the notebook only says which sign-in it is; the service says how it stands
        safe: true,
        mimeTypes: [MIME_TYPE],
        createRenderer: () => new SignInCard(api, trans)
      },
      // before text/html (50), which stands beside it for other front ends
      0
    );
  }
};

/** Leads to the page on which administrators register OAuth clients. */
const administration: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-oauthconn:administration',
  description: 'A command that opens the administration of OAuth clients.',
  autoStart: true,
  optional: [ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_oauthconn');
    const command = 'jupyter-oauthconn:administration';
    const { baseUrl } = app.serviceManager.serverSettings;
    app.commands.addCommand(command, {
      label: trans.__('Administration of OAuth Clients'),
      execute: () => {
        // a page of its own: it may not be framed, and keeps no tie to this one
        window.open(
          URLExt.join(baseUrl, 'oauthconn/admin/'),
          '_blank',
          'noopener'
        );
      },
      // what describes a command's arguments: it takes none
      describedBy: { args: { type: 'object', properties: {} } }
    });
    palette?.addItem({ command, category: trans.__('OAuth Connections') });
  }
};

export default [card, administration];
